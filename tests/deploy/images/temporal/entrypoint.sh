#!/bin/sh
exec python3 -P /etc/temporal/start.py
