# attribute: AWS_PROFILE
# value: no credentials
# command: plan
# unset: AWS_ACCESS_KEY_ID
resource "tandem_bucket" "uploads" {
  name = "uploads"
}
