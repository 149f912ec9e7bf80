"""`python -m examples.research_pipeline`: the commands of the example."""

from examples.research_pipeline.cli import main

main()
