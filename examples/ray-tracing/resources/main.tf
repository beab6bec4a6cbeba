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

resource "tandem_bucket" "pictures" {
  name          = "pictures"
  force_destroy = true
}

resource "tandem_container_task" "trace" {
  name          = "trace"
  environment   = var.task_environment
  force_destroy = true

  build {
    context = "${path.module}/../container"
    args    = { BASE = var.base_image }
  }

  bucket_access {
    bucket = tandem_bucket.pictures.bucket
    read   = ["tiles/"]
    write  = ["tiles/", "picture.png"]
  }
}

resource "tandem_workflow" "render" {
  name = "render"

  step {
    name            = "tiles"
    distributed     = true
    max_concurrency = 16

    map {
      count = 16
    }
  }

  step {
    name   = "tile"
    within = "tiles"
    task   = tandem_container_task.trace.launch

    environment = {
      TILE      = "{% $string($states.input.item) %}"
      FAIL_ONCE = "5"
    }
  }

  step {
    name        = "merge"
    task        = tandem_container_task.trace.launch
    environment = { MERGE = "yes" }
  }
}

output "bucket" {
  description = "Bucket with the tiles and the image."
  value       = tandem_bucket.pictures.bucket
}

output "workflow" {
  description = "ARN of the workflow. Each execution renders the image."
  value       = tandem_workflow.render.arn
}
