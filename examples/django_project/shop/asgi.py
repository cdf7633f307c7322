"""The shop under ASGI; Mailnod answers the links of sent mail before anything of Django runs."""

import os

from django.core.asgi import get_asgi_application

from mailnod_django import asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = asgi.wrap(get_asgi_application())
