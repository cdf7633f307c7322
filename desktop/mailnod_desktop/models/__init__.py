"""Qt item models over what the services return; they live on the GUI thread and open no file."""
