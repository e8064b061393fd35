"""Started by path inside a sandbox, as `python -S …/ao_runner/__main__.py`."""

import sys

_HERE = __file__.rpartition("/")[0]
if sys.path and sys.path[0] == _HERE:
    # Its modules are not top-level modules of the agent.
    del sys.path[0]
sys.path.append(_HERE.rpartition("/")[0])

if sys.argv[1:] == ["template"]:
    from ao_runner.template import serve

    serve()
else:
    from ao_runner.main import main

    main()
