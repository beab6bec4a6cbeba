"""Writes functions with what an `event_function` of tandem makes, as templates of troposphere.

A template may have 500 resources.
"""

import sys

from troposphere import GetAtt, Join, Parameter, Ref, Sub, Template
from troposphere import awslambda, cloudwatch, iam, logs, sqs

count, folder = int(sys.argv[1]), sys.argv[2]
IN_TEMPLATE = 62


def write(template, number):
    with open(f"{folder}/functions-{number}.json", "w") as file:
        file.write(template.to_json())


template = None
for number in range(1, count + 1):
    if number % IN_TEMPLATE == 1:
        if template is not None:
            write(template, number)
        template = Template()
        bucket = template.add_parameter(Parameter("CodeBucket", Type="String"))
    name, own = f"many-f{number}", f"F{number}"
    memory = template.add_parameter(Parameter(f"{own}Memory", Type="Number", Default=256))
    timeout = template.add_parameter(Parameter(f"{own}Timeout", Type="Number", Default=30))
    key = template.add_parameter(Parameter(f"{own}Key", Type="String"))
    group = template.add_resource(
        logs.LogGroup(f"{own}LogGroup", LogGroupName=f"/aws/lambda/{name}", RetentionInDays=30)
    )
    dead_letters = template.add_resource(
        sqs.Queue(
            f"{own}DeadLetters",
            QueueName=f"{name}--dead-letters",
            MessageRetentionPeriod=1209600,
            SqsManagedSseEnabled=True,
        )
    )
    template.add_resource(
        sqs.QueuePolicy(
            f"{own}DeadLettersPolicy",
            Queues=[Ref(dead_letters)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "RequireTls",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:*",
                        "Resource": GetAtt(dead_letters, "Arn"),
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        )
    )
    role = template.add_resource(
        iam.Role(
            f"{own}Role",
            RoleName=Sub(name + "--${AWS::Region}"),
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
        )
    )
    policy = template.add_resource(
        iam.PolicyType(
            f"{own}Policy",
            PolicyName="function",
            Roles=[Ref(role)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "WriteLogs",
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": Join("", [GetAtt(group, "Arn"), ":*"]),
                    },
                    {
                        "Sid": "SendMessages",
                        "Effect": "Allow",
                        "Action": ["sqs:SendMessage"],
                        "Resource": GetAtt(dead_letters, "Arn"),
                    },
                ],
            },
        )
    )
    function = template.add_resource(
        awslambda.Function(
            f"{own}Function",
            FunctionName=name,
            PackageType="Zip",
            Role=GetAtt(role, "Arn"),
            Runtime="provided.al2023",
            Handler="bootstrap",
            Code=awslambda.Code(S3Bucket=Ref(bucket), S3Key=Ref(key)),
            Architectures=["x86_64"],
            MemorySize=Ref(memory),
            Timeout=Ref(timeout),
            DependsOn=policy.title,
        )
    )
    template.add_resource(
        awslambda.EventInvokeConfig(
            f"{own}Invocations",
            FunctionName=Ref(function),
            Qualifier="$LATEST",
            MaximumRetryAttempts=2,
            DestinationConfig=awslambda.DestinationConfig(
                OnFailure=awslambda.OnFailure(Destination=GetAtt(dead_letters, "Arn"))
            ),
        )
    )
    template.add_resource(
        cloudwatch.Alarm(
            f"{own}Alarm",
            AlarmName=f"{name}--dead-letters",
            AlarmDescription="Events that the function could not handle wait in its dead-letter queue.",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=GetAtt(dead_letters, "QueueName"))],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
    )

write(template, count + 1)
