# attribute: environment
# value: DB_PASSWORD
resource "tandem_event_function" "notice" {
  name = "notice"
  environment = {
    DB_PASSWORD = "hunter2"
  }

  code {
    bootstrap = "bootstrap"
  }
}
