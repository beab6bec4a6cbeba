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

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/route-counter/composite"
}

output "url" {
  description = "URL of the API. It counts requests to every path."
  value       = module.app.counter.url
}

output "table" {
  description = "Table with one count per route."
  value       = module.app.routes.table_name
}
