"""Worker deployments: their versions, which of them takes new work, and how the others run dry.

Pure: `state` is what is kept, `changes` what requests, polls and passing time make of it, `views` how it is
shown, `codec` how it is kept.
"""
