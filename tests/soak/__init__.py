"""``make soak``: worker and API as real processes under steady load, watched for growth, errors and backlog."""
