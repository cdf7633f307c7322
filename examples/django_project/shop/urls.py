"""The shop's pages."""

from django.urls import path

from . import views

urlpatterns = [path("", views.index), path("send", views.send), path("sent/<name>", views.show)]
