# attribute: name
# value: name
# source: Terraform
resource "tandem_queue" "jobs" {
  fifo = true
}
