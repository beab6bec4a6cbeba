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
  description = "Variables for the function, such as MINIMUM_CONFIDENCE, or those that reach a double of Rekognition."
  type        = map(string)
  default     = {}
}

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source   = "../../modules/content-moderation/composite"
  moderate = { environment = var.function_environment }
}

output "bucket" {
  description = "Upload images here, below incoming/."
  value       = module.app.uploads.bucket
}

output "table" {
  description = "What was found in each image."
  value       = module.app.results.table_name
}

output "queue" {
  description = "URL of the queue with the images that wait for people."
  value       = module.app.review.url
}

output "log_group" {
  description = "The function writes each verdict here."
  value       = module.app.moderate.log_group_name
}
