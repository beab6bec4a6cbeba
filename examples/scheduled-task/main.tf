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

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/scheduled-task/composite"
  report = {
    build_args  = { BASE = var.base_image }
    environment = var.task_environment
  }
}

output "bucket" {
  description = "Bucket with `sales.csv`, and with the reports in `reports/`."
  value       = module.app.shop.bucket
}

output "log_group" {
  description = "Log group with the key of each report, or the reason of a failure."
  value       = module.app.report.log_group_name
}

output "dead_letters" {
  description = "URL of the dead-letter queue with failed tasks and failed starts."
  value       = module.app.report.dead_letter_queue_url
}

output "launch_command" {
  description = "Shell command that starts the task now."
  value       = module.app.report.launch_command
}
