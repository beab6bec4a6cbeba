# attribute: profile
# value: prod
# command: plan
# unset: AWS_ACCESS_KEY_ID
provider "tandem" {
  profile = "prod"
}

resource "tandem_bucket" "uploads" {
  name = "uploads"
}
