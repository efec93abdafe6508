"""Start the development server with production's dynamic configuration, as deploy/compose/server.sh left things."""

import os
from pathlib import Path

from ruamel.yaml import YAML

assert os.environ["POSTGRES_PWD"], "the password was not read"
told = YAML(typ="safe").load(Path(os.environ["DYNAMIC_CONFIG_FILE_PATH"]).read_text())
settings = [f"{key}={str(values[0]['value']).lower()}" for key, values in told.items()]
command = ["temporal", "server", "start-dev", "--headless", "--ip", os.environ["BIND_ON_IP"], "--log-level", "warn"]
command += ["--db-filename", "/home/howdah/server.db", "--sqlite-pragma", "journal_mode=wal"]
command += [word for setting in settings for word in ("--dynamic-config-value", setting)]
os.execvp(command[0], command)
