# attribute: alarm_topic_arn
# value: "alerts"
resource "tandem_event_function" "notice" {
  name            = "notice"
  alarm_topic_arn = "alerts"

  code {
    bootstrap = "bootstrap"
  }
}
