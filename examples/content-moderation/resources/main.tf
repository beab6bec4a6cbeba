# The same by hand, out of resources.

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

resource "tandem_bucket" "uploads" {
  name          = "uploads"
  force_destroy = true
}

resource "tandem_table" "results" {
  name          = "results"
  key           = "image"
  force_destroy = true
}

resource "tandem_queue" "review" {
  name          = "review"
  force_destroy = true
}

resource "tandem_event_function" "moderate" {
  name        = "moderate"
  calls       = ["rekognition:DetectModerationLabels"]
  environment = var.function_environment

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/moderate/bootstrap"
  }

  on {
    bucket = tandem_bucket.uploads.bucket
    prefix = "incoming/"
  }

  reads {
    bucket = tandem_bucket.uploads.bucket
    prefix = "incoming/"
  }

  reads {
    table = tandem_table.results.arn
  }

  writes {
    bucket = tandem_bucket.uploads.bucket
  }

  writes {
    table = tandem_table.results.arn
  }

  sends_to {
    queue = tandem_queue.review.arn
  }
}

output "bucket" {
  description = "Upload images here, below incoming/."
  value       = tandem_bucket.uploads.bucket
}

output "table" {
  description = "What was found in each image."
  value       = tandem_table.results.table_name
}

output "queue" {
  description = "URL of the queue with the images that wait for people."
  value       = tandem_queue.review.url
}

output "log_group" {
  description = "The function writes each verdict here."
  value       = tandem_event_function.moderate.log_group_name
}
