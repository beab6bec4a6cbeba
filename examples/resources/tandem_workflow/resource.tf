resource "tandem_container_task" "render" {
  name  = "render"
  image = "public.ecr.aws/docker/library/busybox:1"
}

resource "tandem_event_function" "merge" {
  name = "merge"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/merge/bootstrap"
  }
}

# Sixteen containers, four at a time, then one function.
resource "tandem_workflow" "picture" {
  name = "picture"

  step {
    name            = "tiles"
    max_concurrency = 4

    map {
      count = 16
    }
  }

  step {
    name   = "tile"
    within = "tiles"
    task   = tandem_container_task.render.launch
    end    = true

    environment = {
      TILE = "{% $string($states.input.item) %}"
    }
  }

  step {
    name     = "merge"
    function = tandem_event_function.merge.function_arn
  }
}

# Large orders wait for an approval: the receiver of the message answers with its task token.
resource "tandem_queue" "approvals" {
  name = "approvals"
}

resource "tandem_workflow" "order" {
  name = "order"

  step {
    name      = "size"
    otherwise = "small"

    choice {
      when = "{% $states.input.amount > 100 %}"
      next = "approval"
    }
  }

  step {
    name     = "approval"
    callback = tandem_queue.approvals.arn
    timeout  = 3600
    catch    = "refused"
  }

  step {
    name     = "small"
    function = tandem_event_function.merge.function_arn
    end      = true
  }

  step {
    name = "refused"
    fail = "No approval was given."
  }
}
