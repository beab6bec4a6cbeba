# attribute: timezone
# value: Europe/Berln
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    schedule = "cron(0 12 * * ? *)"
    timezone = "Europe/Berln"
  }
}
