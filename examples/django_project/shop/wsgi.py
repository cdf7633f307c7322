"""The shop under WSGI; Mailnod answers the links of sent mail before anything of Django runs."""

import os

from django.core.wsgi import get_wsgi_application

from mailnod_django import wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = wsgi.wrap(get_wsgi_application())
