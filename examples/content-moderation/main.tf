terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "content-moderation"
}

variable "function_environment" {
  description = "Environment variables of the function, e.g. MINIMUM_CONFIDENCE or the endpoint of a test double of Rekognition."
  type        = map(string)
  default     = {}
}

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source   = "../../modules/content-moderation/composite"
  moderate = { environment = var.function_environment }
}

output "bucket" {
  description = "Upload images here, below incoming/."
  value       = module.app.uploads.bucket
}

output "table" {
  description = "Table with the labels of each image."
  value       = module.app.results.table_name
}

output "queue" {
  description = "URL of the queue of images that wait for a review."
  value       = module.app.review.url
}

output "log_group" {
  description = "Log group with the verdicts of the function."
  value       = module.app.moderate.log_group_name
}
