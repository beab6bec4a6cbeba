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

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/scheduled-task/composite"
  report = {
    build_args  = { BASE = var.base_image }
    environment = var.task_environment
  }
}

output "bucket" {
  description = "Sales lie here, as `sales.csv`, and reports below `reports/`."
  value       = module.app.shop.bucket
}

output "log_group" {
  description = "The container writes here which report it wrote, or why it did not."
  value       = module.app.report.log_group_name
}

output "dead_letters" {
  description = "URL of the queue with the reasons of tasks that failed, and with starts that did."
  value       = module.app.report.dead_letter_queue_url
}

output "launch_command" {
  description = "Starts the task now."
  value       = module.app.report.launch_command
}
