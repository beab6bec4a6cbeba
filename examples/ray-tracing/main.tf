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
  source = "../../modules/ray-tracing/composite"
  trace = {
    build_args  = { BASE = var.base_image }
    environment = var.task_environment
  }
}

output "bucket" {
  description = "Bucket with the tiles and the image."
  value       = module.app.pictures.bucket
}

output "workflow" {
  description = "ARN of the workflow. Each execution renders the image."
  value       = module.app.render.arn
}
