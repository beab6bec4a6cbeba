# attribute: prefix
# value: schedule
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    schedule = "rate(1 hour)"
    prefix   = "uploads/"
  }
}
