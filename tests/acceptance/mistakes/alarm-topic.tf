# attribute: alarm_topic
# value: alerts
# source: Terraform
resource "tandem_event_function" "notice" {
  name        = "notice"
  alarm_topic = "arn:aws:sns:eu-central-1:123456789012:alerts"

  code {
    bootstrap = "bootstrap"
  }
}
