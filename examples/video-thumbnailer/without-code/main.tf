# The same application without functions: a workflow starts the container.

terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "video-thumbnailer-no-code"
}

variable "base_image" {
  description = "Base image of the container. It must contain a static /ffmpeg and CA certificates."
  type        = string
  default     = "mwader/static-ffmpeg:7.1"
}

variable "task_environment" {
  description = "Additional environment variables of the container, e.g. the endpoint of an AWS emulator."
  type        = map(string)
  default     = {}
}

# Without a `launcher` the bucket sends events to EventBridge, and a rule starts the workflow.
resource "tandem_thumbnailer" "videos" {
  name          = "videos"
  force_destroy = true

  task {
    environment = var.task_environment

    build {
      context = "${path.module}/../container"
      args    = { BASE = var.base_image }
    }
  }
}

output "bucket" {
  description = "Bucket for the videos."
  value       = tandem_thumbnailer.videos.bucket_name
}

output "log_groups" {
  description = "Log group of the container."
  value       = { container = tandem_thumbnailer.videos.task_log_group_name }
}

output "task_dead_letters" {
  description = "URL of the dead-letter queue with the reasons of failed containers."
  value       = tandem_thumbnailer.videos.task_dead_letter_queue_url
}

output "workflow" {
  description = "ARN of the workflow that starts the container."
  value       = tandem_thumbnailer.videos.workflow_arn
}
