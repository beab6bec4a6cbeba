terraform {
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

# Region and credentials come from the usual AWS settings, e.g. AWS_REGION and AWS_PROFILE.
provider "tandem" {
  project = "shop-prod"

  default_tags = {
    team = "checkout"
  }
}
