"""Resume the threads of refund_langgraph.py when people have decided: a worker for a process that has ended.

    pip install boto3
    sam deploy --template-file examples/events_to_queue/template.yaml --stack-name decided-calls \\
      --resolve-s3 --parameter-overrides Tokens=agents
    python woken_langgraph.py QUEUE_URL ann@example.com

An event only says which thread to look at. So one that comes twice, or again after a crash, finds nothing left to do. Run one
worker: two would resume the same thread at the same time.
"""

import json
import sys

import boto3
from langgraph.checkpoint.sqlite import SqliteSaver
from refund_langgraph import THREADS, go_on, make_agent


def main(queue: str, email: str) -> None:
    sqs = boto3.client("sqs")
    with SqliteSaver.from_conn_string(THREADS) as saver:
        agent = make_agent(saver)
        while True:
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=20)
            for message in received.get("Messages", []):
                ticket = json.loads(message["Body"])["detail"].get("metadata", {}).get("run")
                if ticket:  # else it is of no agent
                    go_on(agent, ticket, email, wait=False)
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(*sys.argv[1:])
