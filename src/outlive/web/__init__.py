"""The pages: what runs, what failed and why, live. Starlette, Jinja, htmx, SSE; over the gRPC client alone.

``serve.WebServer`` runs them beside a server; ``app.create_app`` is the application for any other host.
Every page is a view model first (``views/``): one address answers HTML to a browser, JSON to a program.
"""
