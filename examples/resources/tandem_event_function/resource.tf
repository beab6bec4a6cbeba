resource "tandem_bucket" "inbox" {
  name = "inbox"
}

resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/notice/bootstrap"
  }

  # Uploads of videos.
  on {
    bucket = tandem_bucket.inbox.bucket
    prefix = "uploads/"
    suffix = ".mp4"
  }

  # Monday to Friday at 08:00.
  on {
    schedule = "cron(0 8 ? * MON-FRI *)"
    timezone = "Europe/Berlin"
  }

  # HTTPS requests with a JWT.
  on {
    http         = "api"
    auth         = "jwt"
    jwt_issuer   = "https://login.example.com/"
    jwt_audience = ["shop"]
  }
}
