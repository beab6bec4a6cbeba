# attribute: schedule
# value: bucket
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    bucket   = "shop-uploads"
    schedule = "rate(1 hour)"
  }
}
