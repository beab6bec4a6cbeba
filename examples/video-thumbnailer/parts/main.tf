# The same application as ../main.tf, written with its parts.

terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "video-thumbnailer-parts"
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

resource "tandem_bucket" "videos" {
  name          = "videos"
  force_destroy = true
}

resource "tandem_container_task" "ffmpeg" {
  name   = "ffmpeg"
  cpu    = 256
  memory = 512

  build {
    context = "${path.module}/../container"
    args    = { BASE = var.base_image }
  }

  bucket_access {
    bucket       = tandem_bucket.videos.bucket
    read         = [""]
    write        = ["thumbnails/"]
    write_suffix = ".jpg"
  }

  environment = merge(var.task_environment, {
    THUMBNAILER_INPUT_PREFIX      = ""
    THUMBNAILER_OUTPUT_PREFIX     = "thumbnails/"
    THUMBNAILER_DEFAULT_TIMESTAMP = "00:00:00"
    THUMBNAILER_TIMESTAMP_PATTERN = "_([0-9]+)-([0-9]+)\\.[^./]*$"
    THUMBNAILER_WIDTH             = "640"
  })
}

resource "tandem_event_function" "launcher" {
  name     = "launcher"
  launches = [tandem_container_task.ffmpeg.launch]

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/videos-launcher/bootstrap"
  }

  on {
    bucket = tandem_bucket.videos.bucket
    suffix = ".mp4"
  }
}

resource "tandem_event_function" "on_thumbnail" {
  name = "on-thumbnail"

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/videos-on-thumbnail/bootstrap"
  }

  on {
    bucket = tandem_bucket.videos.bucket
    prefix = "thumbnails/"
    suffix = ".jpg"
  }
}

output "bucket" {
  description = "Bucket for the videos."
  value       = tandem_bucket.videos.bucket
}

output "log_groups" {
  description = "Log groups of the launcher, the container and the second function."
  value = {
    launcher     = tandem_event_function.launcher.log_group_name
    container    = tandem_container_task.ffmpeg.log_group_name
    on_thumbnail = tandem_event_function.on_thumbnail.log_group_name
  }
}

output "task_dead_letters" {
  description = "URL of the dead-letter queue with the reasons of failed containers."
  value       = tandem_container_task.ffmpeg.dead_letter_queue_url
}
