# The same without any code but the container's: a workflow starts it.

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
  description = "Image with a static /ffmpeg and the certificates of authorities, which the container builds on."
  type        = string
  default     = "mwader/static-ffmpeg:7.1"
}

variable "task_environment" {
  description = "More variables for the container, such as those that reach an emulator of AWS."
  type        = map(string)
  default     = {}
}

# Without a `launcher` the bucket tells EventBridge of each video, and a rule starts the workflow.
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
  description = "Upload videos here."
  value       = tandem_thumbnailer.videos.bucket_name
}

output "log_groups" {
  description = "Where the container writes."
  value       = { container = tandem_thumbnailer.videos.task_log_group_name }
}

output "task_dead_letters" {
  description = "URL of the queue with the reasons of containers that failed."
  value       = tandem_thumbnailer.videos.task_dead_letter_queue_url
}

output "workflow" {
  description = "ARN of the workflow that starts the container."
  value       = tandem_thumbnailer.videos.workflow_arn
}
