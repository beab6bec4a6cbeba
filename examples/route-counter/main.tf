terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "route-counter"
}

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/route-counter/composite"
}

output "url" {
  description = "Whatever is asked for here is counted."
  value       = module.app.counter.url
}

output "table" {
  description = "The counts, by route."
  value       = module.app.routes.table_name
}
