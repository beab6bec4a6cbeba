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

# A video lands in the bucket, the launcher starts the container, the thumbnail lands in the bucket, and
# the second function hears of it.
resource "tandem_thumbnailer" "videos" {
  name          = "videos"
  force_destroy = true

  task {
    build {
      context = "${path.module}/container"
      args    = { BASE = var.base_image }
    }
    cpu         = 256
    memory      = 512
    environment = var.task_environment
  }

  launcher {
    code {
      bootstrap = "${path.module}/handlers/target/release/launcher"
    }
  }

  on_thumbnail {
    code {
      bootstrap = "${path.module}/handlers/target/release/on-thumbnail"
    }
  }
}

output "bucket" {
  description = "Upload videos here."
  value       = tandem_thumbnailer.videos.bucket_name
}

output "log_groups" {
  description = "Where launcher, container and second function write."
  value = {
    launcher     = tandem_thumbnailer.videos.launcher_log_group_name
    container    = tandem_thumbnailer.videos.task_log_group_name
    on_thumbnail = tandem_thumbnailer.videos.on_thumbnail_log_group_name
  }
}

output "task_dead_letters" {
  description = "URL of the queue with the reasons of containers that failed."
  value       = tandem_thumbnailer.videos.task_dead_letter_queue_url
}
