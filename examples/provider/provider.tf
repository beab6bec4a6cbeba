terraform {
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

# Region and credentials come from the usual places of AWS.
provider "tandem" {
  project = "shop-prod"

  default_tags = {
    team = "checkout"
  }
}
