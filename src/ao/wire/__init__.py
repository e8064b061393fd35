"""What travels between the server and its clients: request and response schemas, problem details."""
