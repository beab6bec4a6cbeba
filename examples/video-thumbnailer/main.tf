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
  description = "Base image of the container. It must contain a static /ffmpeg and CA certificates."
  type        = string
  default     = "mwader/static-ffmpeg:7.1"
}

variable "task_environment" {
  description = "Additional environment variables of the container, e.g. the endpoint of an AWS emulator."
  type        = map(string)
  default     = {}
}

# The module that `tandem generate` writes for tandem.yaml. An uploaded video triggers the launcher, which
# starts the container. The thumbnail that the container uploads triggers the second function.
module "app" {
  source = "../../modules/video-thumbnailer/composite"
  videos = {
    task_build_args  = { BASE = var.base_image }
    task_environment = var.task_environment
  }
}

output "bucket" {
  description = "Bucket for the videos."
  value       = module.app.videos.bucket_name
}

output "log_groups" {
  description = "Log groups of the launcher, the container and the second function."
  value = {
    launcher     = module.app.videos.launcher_log_group_name
    container    = module.app.videos.task_log_group_name
    on_thumbnail = module.app.videos.on_thumbnail_log_group_name
  }
}

output "task_dead_letters" {
  description = "URL of the dead-letter queue with the reasons of failed containers."
  value       = module.app.videos.task_dead_letter_queue_url
}
