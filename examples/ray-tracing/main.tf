terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "ray-tracing"
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
  source = "../../modules/ray-tracing/composite"
  trace = {
    build_args  = { BASE = var.base_image }
    environment = var.task_environment
  }
}

output "bucket" {
  description = "Tiles and picture land here."
  value       = module.app.pictures.bucket
}

output "workflow" {
  description = "Each execution makes the picture."
  value       = module.app.render.arn
}
