resource "tandem_table" "counts" {
  name = "counts"
  key  = "route"
}

resource "tandem_event_function" "counter" {
  name = "counter"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/counter/bootstrap"
  }

  on {
    http = "api"
    auth = "none"
  }

  writes {
    table = tandem_table.counts.arn
  }
}
