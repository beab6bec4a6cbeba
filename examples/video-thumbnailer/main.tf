terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "video-thumbnailer"
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

# The module that `tandem generate` makes of tandem.yaml. A video lands in the bucket, the launcher starts
# the container, the thumbnail lands in the bucket, and the second function hears of it.
module "app" {
  source = "../../modules/video-thumbnailer/composite"
  videos = {
    task_build_args  = { BASE = var.base_image }
    task_environment = var.task_environment
  }
}

output "bucket" {
  description = "Upload videos here."
  value       = module.app.videos.bucket_name
}

output "log_groups" {
  description = "Where launcher, container and second function write."
  value = {
    launcher     = module.app.videos.launcher_log_group_name
    container    = module.app.videos.task_log_group_name
    on_thumbnail = module.app.videos.on_thumbnail_log_group_name
  }
}

output "task_dead_letters" {
  description = "URL of the queue with the reasons of containers that failed."
  value       = module.app.videos.task_dead_letter_queue_url
}
