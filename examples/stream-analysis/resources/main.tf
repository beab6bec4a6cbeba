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
  project = "stream-analysis"
}

resource "tandem_stream" "posts" {
  name = "posts"
}

resource "tandem_table" "counts" {
  name          = "counts"
  key           = "hashtag"
  force_destroy = true
}

resource "tandem_event_function" "analysis" {
  name          = "analysis"
  force_destroy = true

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/analysis/bootstrap"
  }

  on {
    stream = tandem_stream.posts.arn
  }

  writes {
    table = tandem_table.counts.arn
  }
}

output "stream" {
  description = "Name of the stream. Each record is a post: JSON with a `text`."
  value       = tandem_stream.posts.stream_name
}

output "table" {
  description = "Table with the number of posts per hashtag."
  value       = tandem_table.counts.table_name
}

output "function" {
  description = "Name of the counting function."
  value       = tandem_event_function.analysis.function_name
}

output "dead_letters" {
  description = "URL of the dead-letter queue for records that are not posts."
  value       = tandem_event_function.analysis.dead_letter_queue_url
}
