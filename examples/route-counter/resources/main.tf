# The same application, written with resources.

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
  description = "URL of the API. It counts requests to every path."
  value       = tandem_event_function.counter.url
}

output "table" {
  description = "Table with one count per route."
  value       = tandem_table.routes.table_name
}
