resource "tandem_bucket" "inbox" {
  name = "inbox"
}

resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/notice/bootstrap"
  }

  # Videos that land in the bucket.
  on {
    bucket = tandem_bucket.inbox.bucket
    prefix = "uploads/"
    suffix = ".mp4"
  }

  # Every working day at eight.
  on {
    schedule = "cron(0 8 ? * MON-FRI *)"
    timezone = "Europe/Berlin"
  }

  # Requests over HTTPS, with a token.
  on {
    http         = "api"
    auth         = "jwt"
    jwt_issuer   = "https://login.example.com/"
    jwt_audience = ["shop"]
  }
}
