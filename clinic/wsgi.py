"""The WSGI entry point that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from clinic.door import utf_8_only

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
application = utf_8_only(get_wsgi_application())
