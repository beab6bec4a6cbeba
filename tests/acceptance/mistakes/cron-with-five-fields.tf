# attribute: schedule
# value: cron(0 12 * * *)
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    schedule = "cron(0 12 * * *)"
  }
}
