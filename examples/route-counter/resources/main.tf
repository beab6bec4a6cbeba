# The same by hand, out of resources.

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

resource "tandem_table" "routes" {
  name          = "routes"
  key           = "route"
  force_destroy = true
}

resource "tandem_event_function" "counter" {
  name = "counter"

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/counter/bootstrap"
  }

  on {
    http = "api"
    auth = "none"
  }

  writes {
    table = tandem_table.routes.arn
  }
}

output "url" {
  description = "Whatever is asked for here is counted."
  value       = tandem_event_function.counter.url
}

output "table" {
  description = "The counts, by route."
  value       = tandem_table.routes.table_name
}
