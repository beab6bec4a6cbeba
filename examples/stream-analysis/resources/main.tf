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
  description = "Posts go here, each as JSON with its `text`."
  value       = tandem_stream.posts.stream_name
}

output "table" {
  description = "How many posts have a hashtag, by hashtag."
  value       = tandem_table.counts.table_name
}

output "function" {
  description = "Name of the function that counts."
  value       = tandem_event_function.analysis.function_name
}

output "dead_letters" {
  description = "URL of the queue that tells of records which are no posts."
  value       = tandem_event_function.analysis.dead_letter_queue_url
}
