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
  project = "scheduled-task"
}

variable "base_image" {
  description = "Image with the certificates of authorities, which the container builds on."
  type        = string
  default     = "gcr.io/distroless/static-debian12"
}

variable "task_environment" {
  description = "More variables for the container, such as those that reach an emulator of AWS."
  type        = map(string)
  default     = {}
}

resource "tandem_bucket" "shop" {
  name          = "shop"
  force_destroy = true
}

resource "tandem_container_task" "report" {
  name        = "report"
  environment = var.task_environment

  build {
    context = "${path.module}/../container"
    args    = { BASE = var.base_image }
  }

  bucket_access {
    bucket = tandem_bucket.shop.bucket
    read   = ["sales.csv"]
    write  = ["reports/"]
  }

  schedule {
    expression  = "cron(0 3 * * ? *)"
    timezone    = "Europe/Berlin"
    environment = { DUE = "<aws.scheduler.scheduled-time>" }
  }
}

output "bucket" {
  description = "Sales lie here, as `sales.csv`, and reports below `reports/`."
  value       = tandem_bucket.shop.bucket
}

output "log_group" {
  description = "The container writes here which report it wrote, or why it did not."
  value       = tandem_container_task.report.log_group_name
}

output "dead_letters" {
  description = "URL of the queue with the reasons of tasks that failed, and with starts that did."
  value       = tandem_container_task.report.dead_letter_queue_url
}

output "launch_command" {
  description = "Starts the task now."
  value       = tandem_container_task.report.launch_command
}
