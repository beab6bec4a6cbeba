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
  project = "scheduled-task"
}

variable "base_image" {
  description = "Base image of the container. It must contain CA certificates."
  type        = string
  default     = "gcr.io/distroless/static-debian12"
}

variable "task_environment" {
  description = "Additional environment variables of the container, e.g. the endpoint of an AWS emulator."
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

  on {
    schedule    = "cron(0 3 * * ? *)"
    timezone    = "Europe/Berlin"
    environment = { DUE = "<aws.scheduler.scheduled-time>" }
  }
}

output "bucket" {
  description = "Bucket with `sales.csv`, and with the reports in `reports/`."
  value       = tandem_bucket.shop.bucket
}

output "log_group" {
  description = "Log group with the key of each report, or the reason of a failure."
  value       = tandem_container_task.report.log_group_name
}

output "dead_letters" {
  description = "URL of the dead-letter queue with failed tasks and failed starts."
  value       = tandem_container_task.report.dead_letter_queue_url
}

output "launch_command" {
  description = "Shell command that starts the task now."
  value       = tandem_container_task.report.launch_command
}
