"""The API over HTTP and JSON, by the protocol's own `google.api.http` annotations.

routes     annotations -> which RPC a method and a path mean
reading    JSON -> message           writing    message -> JSON
payloads   the readable form of payloads, both ways
parameters query parameters -> fields of a message
media      which form the caller wants: indented, payloads spelled out
app        the ASGI application
"""
