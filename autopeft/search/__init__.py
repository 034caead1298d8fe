"""The main job: from a workbench and a space to a finished study."""
