"""The WSGI entry point that gunicorn serves."""

import os
import sys

from django.core.wsgi import get_wsgi_application

from clinic import database
from clinic.door import utf_8_only

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
os.environ["STEADY_SERVES"] = "1"  # the settings have short limits for who serves
application = utf_8_only(get_wsgi_application())
try:
    database.check_durable()
except database.DatabaseProblem as problem:
    sys.exit(str(problem))
